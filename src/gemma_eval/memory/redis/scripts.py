"""What the server does in one go: Lua scripts, each of which happens as a whole or not at all.

Keys, all with the hash tag `{namespace}`, so that a cluster keeps them together:

    ge:{ns}:about        hash    version, rules (JSON), changes (a counter), dim:<embedder>
    ge:{ns}:pieces       hash    id -> body (JSON)
    ge:{ns}:used         hash    id -> accesses and the time of the last
    ge:{ns}:order        zset    id by when it came
    ge:{ns}:expiry       zset    id by when its time is over, where it ever is
    ge:{ns}:tier:<tier>  zset    id by its worth: the least goes first where a tier is full
    ge:{ns}:vectors:<embedder>   hash   id -> floats of 4 bytes
    ge:{ns}:log          stream  the ids that each change was about

No key ever expires: that leaves no trace in the log, and what counts is `expires_s` against the caller's
clock. An entry of the log is called `<number>-<nonce>`, so that a server that lost its last changes cannot
name two changes alike. Numbers of passages are never written by Lua, whose JSON rounds them.
"""

from __future__ import annotations

from typing import get_args

from gemma_eval.records import MemoryTier

VERSION = 1
LOGGED = 1_000
"""How many changes the log holds at least; who missed more reads everything anew."""

_CONSTANTS = f"""
local VERSION, LOGGED = {VERSION}, {LOGGED}
local TIERS = {{{", ".join(f"'{tier}'" for tier in get_args(MemoryTier))}}}
"""

_COMMON = (
    _CONSTANTS
    + """
local prefix = string.sub(KEYS[1], 1, -6)
local ABOUT, LOG = KEYS[1], prefix .. 'log'
local PIECES, USED = prefix .. 'pieces', prefix .. 'used'
local ORDER, EXPIRY = prefix .. 'order', prefix .. 'expiry'
local NONCE = ARGV[1]
local OTHER_LENGTH = 'DIMENSION vectors of another length are kept of this embedder'

local function changed(ids)
  local number = redis.call('HINCRBY', ABOUT, 'changes', 1)
  local name = string.format('%d-%s', number, NONCE)
  redis.call('XADD', LOG, 'MAXLEN', '~', LOGGED, name, 'ids', #ids > 0 and cjson.encode(ids) or '[]')
end

if redis.call('EXISTS', ABOUT) == 0 then
  redis.call('HSET', ABOUT, 'version', VERSION, 'rules', ARGV[2])
  changed({})
end
local version = tonumber(redis.call('HGET', ABOUT, 'version'))
if version ~= VERSION then
  return redis.error_reply('VERSION the store has version ' .. tostring(version) .. ', not ' .. VERSION)
end
local rules = cjson.decode(redis.call('HGET', ABOUT, 'rules'))

local embedders = {}
for _, field in ipairs(redis.call('HKEYS', ABOUT)) do
  if string.sub(field, 1, 4) == 'dim:' then table.insert(embedders, string.sub(field, 5)) end
end

local function worth(tier, importance, accesses, last_s)
  local used = math.max(importance, 1e-6) * (1 + math.log(1 + accesses))
  return math.log(used) + rules[tier].decay_per_day * last_s / 86400
end

local function drop(id)
  local was = redis.call('HDEL', PIECES, id)
  redis.call('HDEL', USED, id)
  redis.call('ZREM', ORDER, id)
  redis.call('ZREM', EXPIRY, id)
  for _, tier in ipairs(TIERS) do redis.call('ZREM', prefix .. 'tier:' .. tier, id) end
  for _, embedder in ipairs(embedders) do redis.call('HDEL', prefix .. 'vectors:' .. embedder, id) end
  return was
end

local function fits(embedder, dim)
  local known = redis.call('HGET', ABOUT, 'dim:' .. embedder)
  if known and known ~= dim and redis.call('HLEN', prefix .. 'vectors:' .. embedder) > 0 then return false end
  redis.call('HSET', ABOUT, 'dim:' .. embedder, dim)
  if not known then table.insert(embedders, embedder) end
  return true
end
"""
)

BEGIN = _COMMON + "return version"
"""Make the store where there is none: nonce, rules."""

ADD = (
    _COMMON
    + """
local now_s, embedder, dim = ARGV[3], ARGV[4], ARGV[5]
local wide = embedder ~= '' and 10 or 9
if embedder ~= '' and not fits(embedder, dim) then return redis.error_reply(OTHER_LENGTH) end

local function replace_known(id, body, tier)
  local old = redis.call('HGET', PIECES, id)
  if not old then return 1 end
  old = cjson.decode(old)
  if old.tier ~= tier then redis.call('ZREM', prefix .. 'tier:' .. old.tier, id) end
  if old.text ~= cjson.decode(body).text then
    for _, each in ipairs(embedders) do redis.call('HDEL', prefix .. 'vectors:' .. each, id) end
  end
  return 0
end

local new, ids, coming, touched = 0, {}, {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', EXPIRY, '-inf', '(' .. now_s)) do
  drop(id)
  table.insert(ids, id)
end
local function let_go(id)
  drop(id)
  if not coming[id] then table.insert(ids, id) end
end
for i = 6, #ARGV, wide do
  local id, tier, body, used = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local at_s, expires_s = ARGV[i + 4], ARGV[i + 5]
  new = new + replace_known(id, body, tier)
  redis.call('HSET', PIECES, id, body)
  redis.call('HSET', USED, id, used)
  redis.call('ZADD', ORDER, at_s, id)
  local value = worth(tier, tonumber(ARGV[i + 6]), tonumber(ARGV[i + 7]), tonumber(ARGV[i + 8]))
  redis.call('ZADD', prefix .. 'tier:' .. tier, value, id)
  if expires_s ~= '' then redis.call('ZADD', EXPIRY, expires_s, id) else redis.call('ZREM', EXPIRY, id) end
  if wide == 10 then redis.call('HSET', prefix .. 'vectors:' .. embedder, id, ARGV[i + 9]) end
  table.insert(ids, id)
  coming[id], touched[tier] = true, true
end

for tier in pairs(touched) do
  local capacity = rules[tier].capacity
  local left = -1
  if type(capacity) == 'number' then left = redis.call('ZCARD', prefix .. 'tier:' .. tier) - capacity end
  if left > 0 then
    local last = left + #ids - 1
    local least = redis.call('ZRANGE', prefix .. 'tier:' .. tier, 0, last)
    for _, may_come in ipairs({false, true}) do
      for _, id in ipairs(least) do
        if left > 0 and (coming[id] or false) == may_come then
          let_go(id)
          left = left - 1
        end
      end
    end
  end
end
if #ids > 0 then changed(ids) end
return new
"""
)
"""Let go of passages whose time is over, keep others, and let go of those that a full tier has no room for.

Arguments: nonce, rules, now_s, embedder and its D or two empty ones; then of each passage id, tier,
body, used, at_s, expires_s or empty, importance, accesses, when it was used last and, with an embedder, its
vector. Returns how many were new."""

FORGET = (
    _COMMON
    + """
local gone = {}
for i = 3, #ARGV do
  if drop(ARGV[i]) == 1 then table.insert(gone, ARGV[i]) end
end
if #gone > 0 then changed(gone) end
return #gone
"""
)
"""Remove passages: nonce, rules, then their ids. Returns how many there were."""

EXPIRE = (
    _COMMON
    + """
local gone = redis.call('ZRANGEBYSCORE', EXPIRY, '-inf', '(' .. ARGV[3], 'LIMIT', 0, tonumber(ARGV[4]))
for _, id in ipairs(gone) do drop(id) end
if #gone > 0 then changed(gone) end
return #gone
"""
)
"""Remove passages whose time is over: nonce, rules, now_s, how many at most. Returns how many those were."""

TOUCH = (
    _COMMON
    + """
for i = 4, #ARGV do
  local id = ARGV[i]
  local body = redis.call('HGET', PIECES, id)
  if body then
    body = cjson.decode(body)
    local used = redis.call('HGET', USED, id) or '0'
    local accesses = tonumber(string.match(used, '^%d+')) + 1
    local accessed = string.match(used, ' (.+)$')
    if not accessed or tonumber(accessed) < tonumber(ARGV[3]) then accessed = ARGV[3] end
    redis.call('HSET', USED, id, string.format('%d %s', accesses, accessed))
    local last_s = math.max(body.at_s, tonumber(accessed), 0)
    local value = worth(body.tier, body.importance, accesses, last_s)
    redis.call('ZADD', prefix .. 'tier:' .. body.tier, value, id)
  end
end
return 0
"""
)
"""Note that passages were given to a model: nonce, rules, now_s, then their ids."""

ADD_VECTORS = (
    _COMMON
    + """
local embedder, dim, ids = ARGV[3], ARGV[4], {}
if not fits(embedder, dim) then return redis.error_reply(OTHER_LENGTH) end
for i = 5, #ARGV, 2 do
  if redis.call('HEXISTS', PIECES, ARGV[i]) == 1 then
    redis.call('HSET', prefix .. 'vectors:' .. embedder, ARGV[i], ARGV[i + 1])
    table.insert(ids, ARGV[i])
  end
end
if #ids > 0 then changed(ids) end
return #ids
"""
)
"""Keep vectors of passages that are there: nonce, rules, embedder, its D, then id and vector of each."""

SET_RULES = (
    _COMMON
    + """
redis.call('HSET', ABOUT, 'rules', ARGV[3])
rules = cjson.decode(ARGV[3])
for _, tier in ipairs(TIERS) do
  for _, id in ipairs(redis.call('ZRANGE', prefix .. 'tier:' .. tier, 0, -1)) do
    local body = cjson.decode(redis.call('HGET', PIECES, id))
    local used = redis.call('HGET', USED, id) or '0'
    local accessed = tonumber(string.match(used, ' (.+)$') or '0')
    local accesses = tonumber(string.match(used, '^%d+'))
    local value = worth(tier, body.importance, accesses, math.max(body.at_s, accessed, 0))
    redis.call('ZADD', prefix .. 'tier:' .. tier, value, id)
  end
end
return 0
"""
)
"""Keep other rules, and the worth that every passage has by them: nonce, rules of a new store, the rules."""

CHANGES = """
local prefix = string.sub(KEYS[1], 1, -6)
return {
  redis.call('XRANGE', prefix .. 'log', ARGV[1], '+'),
  redis.call('HLEN', prefix .. 'pieces'),
  redis.call('ZCARD', prefix .. 'order'),
}
"""
"""Return the entries of the log from the one that is given on, and how many passages two keys hold, which
differ only where something was lost."""
