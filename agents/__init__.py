"""The Faust agents: consume, decide with the core, write, and settle. Nothing but `application` imports them."""
