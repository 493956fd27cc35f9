"""The Flask app's routes: one file a resource, each with a `blueprint(services)`."""
