"""What a run looks like: tables on the terminal, the JSON document, charts."""
