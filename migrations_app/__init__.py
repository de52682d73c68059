"""What people see and decide: targets, plans, approvals, runs, events, and the pages and API over them."""
