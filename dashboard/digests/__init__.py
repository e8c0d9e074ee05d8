"""A day's digest: told in words, sent once to each recipient."""

from .channels import CertainlyNotSent, PerhapsSent
from .sending import ALREADY, SENT, recipients, send_once
from .telling import Message, told

__all__ = ["ALREADY", "SENT", "CertainlyNotSent", "Message", "PerhapsSent", "recipients", "send_once", "told"]
