"""What became of the gates, for those who read it: terminal, Markdown, page, and the formats of CI."""
