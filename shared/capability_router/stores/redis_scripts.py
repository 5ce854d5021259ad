"""What Redis and Valkey carry out themselves, so that no other client comes between: Lua, one script per operation.

Money passes through as decimal text, and is added in two halves of nine digits and the rest: Lua's numbers are
doubles, which count whole picodollars only up to 9,007 USD. The time is the server's.
"""

CLAIM = """
-- capability-router budgets, version 1: lend() of stores/lending.py
local pot, holder = KEYS[1], 'h' .. ARGV[1]
local function num(s)
  local n = #s
  if n <= 9 then return {0, tonumber(s)} end
  return {tonumber(string.sub(s, 1, n - 9)), tonumber(string.sub(s, n - 8))}
end
local function text(a)
  if a[1] == 0 then return string.format('%.0f', a[2]) end
  return string.format('%.0f%09.0f', a[1], a[2])
end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function add(a, b)
  local low = a[2] + b[2]
  if low >= 1e9 then return {a[1] + b[1] + 1, low - 1e9} end
  return {a[1] + b[1], low}
end
local function sub(a, b)  -- 0 when b is larger
  if less(a, b) then return {0, 0} end
  if a[2] < b[2] then return {a[1] - b[1] - 1, a[2] - b[2] + 1e9} end
  return {a[1] - b[1], a[2] - b[2]}
end
local function part(a, n)
  local high = math.floor(a[1] / n)
  return {high, math.floor(((a[1] - high * n) * 1e9 + a[2]) / n)}
end
local function smaller(a, b) if less(a, b) then return a end return b end

local told, kept, least, wish = num(ARGV[2]), num(ARGV[3]), num(ARGV[4]), num(ARGV[5])
local lease, limit, rolls = tonumber(ARGV[6]), num(ARGV[7]), tonumber(ARGV[8])
local starts, ends, share = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local number, last, mine = tonumber(ARGV[17]), 0, {0, 0}
local buckets, known_s, past_s, now = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local here, first = 0, nil
if rolls then
  here = math.floor(now / (rolls / buckets))
  first = math.floor((now - rolls) / (rolls / buckets))
end
local spent, lent, seen, oldest = {0, 0}, {0, 0}, {0, 0}, nil
local fields = redis.call('HGETALL', pot)
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  local kind = string.sub(name, 1, 1)
  if kind == 's' then
    local bucket = tonumber(string.sub(name, 2))
    if first and bucket < first then
      redis.call('HDEL', pot, name)
    else
      spent = add(spent, num(value))
      if not oldest or bucket < oldest then oldest = bucket end
    end
  elseif kind == 'h' then
    local amount, paid, until_, known, latest = string.match(value, '(%d+) (%d+) (%S+) (%S+) (%d+)')
    if tonumber(known) <= now then
      redis.call('HDEL', pot, name)
    elseif name == holder then
      seen, last = num(paid), tonumber(latest)
      if tonumber(until_) > now then mine = num(amount) end
    elseif tonumber(until_) > now then
      lent = add(lent, num(amount))
    end
  end
end
if less(seen, told) then
  local more, field = sub(told, seen), string.format('s%.0f', here)
  redis.call('HSET', pot, field, text(add(num(redis.call('HGET', pot, field) or '0'), more)))
  spent, seen = add(spent, more), told
  if not oldest or here < oldest then oldest = here end
end

local frees = ''
if rolls and oldest then frees = string.format('%.17g', (oldest + 1) * (rolls / buckets) + rolls) end
if number < last then  -- a later claim was faster: what was spent is booked above, the loan stays
  local known = redis.call('HGET', pot, holder)
  local amount, _, rest = string.match(known, '(%d+) (%d+) (.*)')
  redis.call('HSET', pot, holder, amount .. ' ' .. text(seen) .. ' ' .. rest)
  return {amount, text(spent), text(add(lent, mine)), string.format('%.17g', now), frees}
end

local room, amount = sub(sub(limit, spent), lent), nil
local over = (starts and now < starts) or (ends and now >= ends)
if over or less(room, least) then
  amount = smaller(kept, room)
else
  amount = add(least, smaller(sub(wish, least), part(sub(room, least), share)))
end
local loan = string.format('%s %s %.17g %.17g %.0f', text(amount), text(seen), now + lease, now + known_s, number)
redis.call('HSET', pot, holder, loan, 'pot', ARGV[16])
if rolls then
  redis.call('PEXPIRE', pot, math.ceil((rolls * 2 + past_s) * 1000))
elseif ends then
  redis.call('PEXPIRE', pot, math.ceil(math.max(ends - now, 0) * 1000 + past_s * 1000))
end
return {text(amount), text(spent), text(add(lent, amount)), string.format('%.17g', now), frees}
"""

PUT = """
-- capability-router states, version 1: replaces a text whose version is the one expected
if tonumber(redis.call('HGET', KEYS[1], 'version') or '0') ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'text', ARGV[1], 'version', tonumber(ARGV[2]) + 1)
return 1
"""
