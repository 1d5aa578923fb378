"""Thin mounts around a host application, and the ways it reads who is there and asks for more."""

from imagin_gateway.mounts.asking import Denied as Denied
from imagin_gateway.mounts.asking import require as require
from imagin_gateway.mounts.visitor import Visitor as Visitor
from imagin_gateway.mounts.visitor import person as person
from imagin_gateway.mounts.visitor import step_up as step_up
from imagin_gateway.mounts.visitor import visitor as visitor
