"""The public HTTP API: parse, call one service or selector, render. It decides nothing itself."""
