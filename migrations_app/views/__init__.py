"""The pages: each view reads through a selector or calls one service, and shows what came of it."""
