"""The operations of editors, such as adding issues, checking links, drafting picks and managing accounts."""
