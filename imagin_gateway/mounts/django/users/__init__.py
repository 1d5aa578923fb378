"""A Django user for each person: an application to install, and a middleware.

::

    INSTALLED_APPS = [..., "imagin_gateway.mounts.django.users"]
    MIDDLEWARE = [..., "imagin_gateway.mounts.django.users.middleware.user_middleware"]
    IMAGIN_GATEWAY_CREATE_USERS = True  # else only people an administrator linked have a user

A person is (issuer, subject): nobody is ever found by a name, a login or a mail,
which the same words under another issuer would be enough to take over.
"""
