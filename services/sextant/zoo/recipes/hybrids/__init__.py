"""The stages of hybrids, a file for each kind; what is trained last of a kind publishes its graph as well."""
