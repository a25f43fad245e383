"""What methods are measured on: tasks, protocols, data, scoring and the sandbox."""
