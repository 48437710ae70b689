# SPDX-License-Identifier: Apache-2.0
"""A camera for those who have none: pictures and bags, published at a steady pace."""
