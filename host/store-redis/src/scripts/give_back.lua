-- KEYS: as of one quota in `take`. ARGV: time, cost, time of the take, kind, span.
local now, cost, at, kind, span = clock(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local key, sum = KEYS[1], KEYS[2]
if kind == 'rate' then
  local full = tonumber(redis.call('GET', key) or 0)
  -- What has flowed back by itself is not given twice.
  local missing = math.max(cost * span - math.max(now - at, 0), 0)
  if full > 0 then
    redis.call('SET', key, whole(math.max(full - missing, 0)), 'KEEPTTL')
  end
elseif kind == 'fixed' then
  local kept = redis.call('HMGET', key, 'ends', 'used')
  local ends, used = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
  if at < ends and ends <= at + span then
    redis.call('HSET', key, 'used', whole(math.max(used - cost, 0)))
  end
elseif redis.call('LREM', key, -1, whole(at) .. ':' .. whole(cost)) == 1 then
  local used = tonumber(redis.call('GET', sum) or 0)
  redis.call('SET', sum, whole(math.max(used - cost, 0)), 'KEEPTTL')
end
