"""The embedded Pulumi engine: runs a project's Python program in this process, on Pulumi's own protocol and state.

`falaj_engine.workspace.Workspace` is the interface for Python, `falaj_engine.capture.capture` runs a program against
nothing, and `falaj_engine.commands` adds the commands. Importing this package loads none of them.
"""
