"""One function per verb, one transaction each: check, move, write, record the event; side effects only on commit."""
