"""Lua for Redis: each script is one atomic change.

A record reads `<end> <number> <index> <index>...\\n<value>`. Numbers that come from
outside the script are passed on as the text they came as: Lua would round them.

While a cluster moves our slot from one node to another, a script can be stopped at
a key that has already left. Hence the order: a live record is listed before it is
written, and what it was before is taken off the lists afterwards. A member too many
is nothing; a record that no list names would escape those who end it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the sum by which a server that has seen it knows it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is Redis' name for a script, not a protection.
        sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", sha)


_HELPERS: Final = r"""
local function split(raw)
  local head, value = string.match(raw, '^([^\n]*)\n(.*)$')
  local ends, number, indexes = string.match(head or '', '^([%d%.e+-]+) (%d+)(.*)$')
  if not tonumber(ends or 'none') then return '0', '0', '', '' end
  return ends, number, indexes, value
end
local function alive(raw, now)
  return raw and tonumber((split(raw))) > tonumber(now)
end
local function each_index(indexes, prefix, act)
  for token in string.gmatch(indexes, '%S+') do act(prefix .. token) end
end
local function unlist(raw, prefix, key)
  local _, number, indexes = split(raw)
  each_index(indexes, prefix, function(index) redis.call('ZREM', index, number .. ':' .. key) end)
end
local function remove(member, index, prefix, record_prefix)
  local number, key = string.match(member, '^(%d+):(.*)$')
  local raw = redis.call('GET', record_prefix .. key)
  local _, its_number
  if raw then _, its_number = split(raw) end
  redis.call('ZREM', index, member)
  if its_number ~= number then return 0 end
  redis.call('DEL', record_prefix .. key)
  unlist(raw, prefix, key)
  return 1
end
local function list(indexes, prefix, ends, ttl, number, key)
  each_index(indexes, prefix, function(index)
    redis.call('ZADD', index, ends, number .. ':' .. key)
    if redis.call('PTTL', index) < tonumber(ttl) then redis.call('PEXPIRE', index, ttl) end
  end)
end
"""

PUT: Final = Script(
    _HELPERS
    + r"""
local prefix, key, ends, ttl, now, value = unpack(ARGV, 1, 6)
local old = redis.call('GET', KEYS[1])
local number = '0'
local indexes = ''
if #ARGV > 6 then
  local former = old and select(2, split(old))
  repeat -- once, unless somebody deleted the counter: what is listed under the former number leaves the lists below
    number = string.format('%.0f', redis.call('INCR', KEYS[2]))
  until number ~= former
  indexes = ' ' .. table.concat(ARGV, ' ', 7)
end
list(indexes, prefix, ends, ttl, number, key)
redis.call('SET', KEYS[1], ends .. ' ' .. number .. indexes .. '\n' .. value, 'PX', ttl)
if old then unlist(old, prefix, key) end
local record_prefix = string.sub(KEYS[1], 1, #KEYS[1] - #key)
each_index(indexes, prefix, function(index)
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, 20)) do
    remove(dead, index, prefix, record_prefix)
  end
end)
return 1
"""
)

PUT_IF_ABSENT: Final = Script(
    _HELPERS
    + r"""
local prefix, key, ends, ttl, now, value = unpack(ARGV)
local old = redis.call('GET', KEYS[1])
if alive(old, now) then return 0 end
if old then unlist(old, prefix, key) end
redis.call('SET', KEYS[1], ends .. ' 0\n' .. value, 'PX', ttl)
return 1
"""
)

SWAP: Final = Script(
    _HELPERS
    + r"""
local prefix, now = ARGV[1], ARGV[2]
local done = {}
for i, record_key in ipairs(KEYS) do
  local key, ends, ttl, expected, value = unpack(ARGV, 5 * i - 2, 5 * i + 2)
  local old = redis.call('GET', record_key)
  done[i] = 0
  if alive(old, now) then
    local _, number, indexes, held = split(old)
    if held == expected then
      list(indexes, prefix, ends, ttl, number, key)
      redis.call('SET', record_key, ends .. ' ' .. number .. indexes .. '\n' .. value, 'PX', ttl)
      done[i] = 1
    end
  end
end
return done
"""
)

KEEP_LATEST: Final = Script(
    _HELPERS
    + r"""
for i, record_key in ipairs(KEYS) do
  local ends, ttl, value = unpack(ARGV, 3 * i - 2, 3 * i)
  local old = redis.call('GET', record_key)
  if not old or tonumber((split(old))) < tonumber(ends) then
    redis.call('SET', record_key, ends .. ' 0\n' .. value, 'PX', ttl)
  end
end
return 1
"""
)

REMOVE: Final = Script(
    _HELPERS
    + r"""
local prefix, key = unpack(ARGV)
local old = redis.call('GET', KEYS[1])
if not old then return false end
redis.call('DEL', KEYS[1])
unlist(old, prefix, key)
return old
"""
)

INCREMENT: Final = Script(
    _HELPERS
    + r"""
local prefix, key, ends, ttl, now = unpack(ARGV)
local old = redis.call('GET', KEYS[1])
if alive(old, now) then
  local old_ends, number, indexes, value = split(old)
  local count = tonumber(value) + 1
  local head = old_ends .. ' ' .. number .. indexes
  redis.call('SET', KEYS[1], head .. '\n' .. string.format('%.0f', count), 'KEEPTTL')
  return count
end
if old then unlist(old, prefix, key) end
redis.call('SET', KEYS[1], ends .. ' 0\n1', 'PX', ttl)
return 1
"""
)

FIND: Final = Script(
    _HELPERS
    + r"""
local record_prefix, now = unpack(ARGV)
local found = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  local number, key = string.match(member, '^(%d+):(.*)$')
  local raw = redis.call('GET', record_prefix .. key)
  local its_number
  if raw then _, its_number = split(raw) end
  if its_number ~= number then
    redis.call('ZREM', KEYS[1], member)
  elseif alive(raw, now) then
    found[#found + 1] = {member, raw}
  end
end
return found
"""
)

DELETE_INDEXED: Final = Script(
    _HELPERS
    + r"""
local record_prefix, prefix, batch = unpack(ARGV)
local members = redis.call('ZRANGE', KEYS[1], 0, tonumber(batch) - 1)
local removed = 0
for _, member in ipairs(members) do
  removed = removed + remove(member, KEYS[1], prefix, record_prefix)
end
return {#members, removed}
"""
)
