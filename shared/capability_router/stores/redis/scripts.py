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
local fields, holders = redis.call('HGETALL', pot), 0
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 1) == 'h' then holders = holders + 1 end
end
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
    if tonumber(known) <= now and holders > tonumber(ARGV[18]) then
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
if number > 0 and number <= last then  -- said again, or overtaken: what was spent is booked above, the loan stays
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

APPEND = """
-- capability-router lessons, version 1: adds the lines that the writer has not added before
local head, log, writers = KEYS[1], KEYS[2], KEYS[3]
local writer, kept = ARGV[1], tonumber(ARGV[3])
redis.call('HSETNX', head, 'epoch', ARGV[2])
local known = redis.call('HGET', writers, writer)
local last = known and tonumber(string.match(known, '^%d+')) or 0
local place = redis.call('HGET', head, 'last') or '0'
for i = 4, #ARGV, 2 do
  if tonumber(ARGV[i]) > last then
    last = tonumber(ARGV[i])
    place = string.format('%.0f', redis.call('HINCRBY', head, 'last', 1))
    redis.call('ZADD', log, place, place .. ' ' .. writer .. ' ' .. ARGV[i] .. ' ' .. ARGV[i + 1])
  end
end
redis.call('HSET', writers, writer, string.format('%.0f', last) .. ' ' .. place)
local text = redis.call('HGET', head, 'text')
if text then redis.call('PEXPIRE', string.gsub(head, ':head$', ':text:') .. text, kept) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, kept) end
return 1
"""

KEEP = """
-- capability-router lessons, version 1: keeps answers beside the log, those of late
local answers, order = KEYS[1], KEYS[2]
local kept, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local newest = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
local place = tonumber(newest[2] or '0')
for i = 3, #ARGV, 2 do
  place = place + 1
  redis.call('HSET', answers, ARGV[i], ARGV[i + 1])
  redis.call('ZADD', order, string.format('%.0f', place), ARGV[i])
end
local beyond = redis.call('ZCARD', order) - most
if beyond > 0 then
  for _, id in ipairs(redis.call('ZRANGE', order, 0, beyond - 1)) do redis.call('HDEL', answers, id) end
  redis.call('ZREMRANGEBYRANK', order, 0, beyond - 1)
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, kept) end
return 1
"""

SUM_UP = """
-- capability-router lessons, version 1: a summary stands from now on for the entries up to its place
local head, log, writers, pieces = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local epoch, place, before, kept = ARGV[1], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[7])
if epoch == '' then redis.call('HSETNX', head, 'epoch', ARGV[2]) end
local own = redis.call('HGET', head, 'epoch') or ''
local summed = tonumber(redis.call('HGET', head, 'summed') or '-1')
if redis.call('HGET', head, 'text') == ARGV[5] then return 1 end
if summed ~= before or (epoch ~= '' and epoch ~= own) then
  redis.call('DEL', pieces)
  return 0
end
local old = redis.call('HGET', head, 'text')
if old then redis.call('DEL', string.gsub(head, ':head$', ':text:') .. old) end
redis.call('HSET', head, 'summed', place, 'text', ARGV[5], 'pieces', ARGV[6])
redis.call('ZREMRANGEBYSCORE', log, '-inf', place)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, kept) end
local most = tonumber(ARGV[8])
if redis.call('HLEN', writers) > most then
  local known = {}
  local fields = redis.call('HGETALL', writers)
  for i = 1, #fields, 2 do
    known[#known + 1] = {tonumber(string.match(fields[i + 1], '%d+$')), fields[i]}
  end
  table.sort(known, function(a, b) return a[1] > b[1] end)
  for i = most + 1, #known do redis.call('HDEL', writers, known[i][2]) end
end
return 1
"""
