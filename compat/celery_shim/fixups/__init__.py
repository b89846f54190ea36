"""What an app does when it finds itself inside a framework."""
