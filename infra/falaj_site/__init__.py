"""The embedded site: a real one-node Kubernetes and OpenBao on this machine, in namespaces of its own."""
