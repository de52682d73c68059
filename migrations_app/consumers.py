"""The live feed of a plan's page."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class PlanFeed(AsyncJsonWebsocketConsumer):
    """Replaced by the feed."""
