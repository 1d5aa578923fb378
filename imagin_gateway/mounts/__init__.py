"""Thin mounts around a host application, and the one way it reads who is there."""

from imagin_gateway.mounts.visitor import Visitor as Visitor
from imagin_gateway.mounts.visitor import person as person
from imagin_gateway.mounts.visitor import step_up as step_up
from imagin_gateway.mounts.visitor import visitor as visitor
