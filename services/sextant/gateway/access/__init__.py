"""Who may call what: API keys, what each may do, and how often."""
