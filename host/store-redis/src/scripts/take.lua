-- KEYS: two for each quota: its tally, and for those that remember every take
-- the sum of them. ARGV: time, cost, then kind, limit and span of each quota.
-- Gives admitted, remaining, reset after, retry after (-1: no, or never), time.
local now, cost = clock(ARGV[1]), tonumber(ARGV[2])

-- A steady rate: when the bucket is full again.
local function full_at(key)
  return math.max(tonumber(redis.call('GET', key) or 0), now)
end

-- A fixed window: when it ends, and what was taken in it.
local function window(key, span)
  local kept = redis.call('HMGET', key, 'ends', 'used')
  local ends, used = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
  if ends <= now then
    return (math.floor(now / span) + 1) * span, 0
  end
  return ends, used
end

-- Every take that still counts, oldest first, as `time:cost`. What counts no
-- longer is removed by the page: thousands can come back at one moment.
local function remembered(key, sum, span)
  local used, changed = tonumber(redis.call('GET', sum) or 0), false
  while true do
    local page = redis.call('LRANGE', key, 0, 99)
    local over = 0
    for _, take in ipairs(page) do
      local at, taken = take:match('^(%d+):(%d+)$')
      if at + span > now then
        break
      end
      over = over + 1
      used = used - taken
    end
    if over > 0 then
      redis.call('LTRIM', key, over, -1)
      changed = true
    end
    if over < 100 then
      if #page == over then
        return 0
      end
      if changed then
        redis.call('SET', sum, whole(used), 'KEEPTTL')
      end
      return used
    end
  end
end

-- How long until `missing` units of those remembered have come back.
local function until_back(key, span, missing)
  local start = 0
  while true do
    local page = redis.call('LRANGE', key, start, start + 99)
    if #page == 0 then
      return span
    end
    for _, take in ipairs(page) do
      local at, taken = take:match('^(%d+):(%d+)$')
      missing = missing - taken
      if missing <= 0 then
        return at + span - now
      end
    end
    start = start + 100
  end
end

local function look(key, sum, kind, limit, span, cost)
  if kind == 'rate' then
    local full = full_at(key)
    local wanted, latest = full + cost * span, now + limit * span
    local admitted = wanted <= latest
    local reset = (admitted and wanted or full) - now
    return admitted, math.floor(math.max(limit * span - reset, 0) / span), reset, wanted - latest
  end
  if kind == 'fixed' then
    local ends, used = window(key, span)
    local admitted = used + cost <= limit
    local after = admitted and used + cost or used
    return admitted, math.max(limit - after, 0), after > 0 and ends - now or 0, ends - now
  end
  local used = remembered(key, sum, span)
  local admitted = used + cost <= limit
  local after = admitted and used + cost or used
  local newest = now
  if not admitted or cost == 0 then
    local last = redis.call('LINDEX', key, -1)
    newest = last and tonumber(last:match('^(%d+):')) or now - span
  end
  local retry = 0
  if not admitted and cost <= limit then
    retry = until_back(key, span, used + cost - limit)
    if kind == 'at-once' then
      retry = math.min(retry, CONCURRENCY_RETRY)
    end
  end
  return admitted, math.max(limit - after, 0), newest + span - now, retry
end

local function count(key, sum, kind, limit, span)
  if kind == 'rate' then
    local wanted = full_at(key) + cost * span
    redis.call('SET', key, whole(wanted), 'PX', ttl(wanted - now))
  elseif kind == 'fixed' then
    local ends, used = window(key, span)
    redis.call('HSET', key, 'ends', whole(ends), 'used', whole(used + cost))
    redis.call('PEXPIRE', key, ttl(ends - now))
  else
    local used = remembered(key, sum, span)
    redis.call('RPUSH', key, whole(now) .. ':' .. whole(cost))
    redis.call('PEXPIRE', key, ttl(span))
    redis.call('SET', sum, whole(used + cost), 'PX', ttl(span))
  end
end

local function each(what, cost)
  for i = 1, #KEYS / 2 do
    local kind, limit, span = ARGV[3 * i], tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
    what(KEYS[2 * i - 1], KEYS[2 * i], kind, limit, span, cost)
  end
end

-- What all of them come to: the strictest.
local function strictest(cost)
  local all = { admitted = true, never = false, reset = 0, retry = 0 }
  each(function(key, sum, kind, limit, span)
    local admitted, remaining, reset, retry = look(key, sum, kind, limit, span, cost)
    all.remaining = math.min(all.remaining or remaining, remaining)
    all.reset = math.max(all.reset, reset)
    if not admitted then
      all.admitted = false
      all.never = all.never or cost > limit
      all.retry = math.max(all.retry, retry)
    end
  end)
  return all
end

local all = strictest(cost)
if all.admitted then
  if cost > 0 then
    each(count)
  end
  return { 1, all.remaining, all.reset, -1, now }
end
local retry = all.never and -1 or all.retry
if #KEYS > 2 then
  -- Refused by one, it takes nothing from the others either.
  all = strictest(0)
end
return { 0, all.remaining, all.reset, retry, now }
