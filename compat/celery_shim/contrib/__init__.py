"""Add-ons that Celery brings along."""
