module falaj.io/tests/probe

go 1.24
