-- KEYS: the nonce, and for a delivery what release 0.1.0 calls it. ARGV: time,
-- retain, holder or '', 'free' or '', lease, 'full' or ''.
-- 0: free, and claimed now. 1: held. 2: used. 3: free, and there is no room.
local now, retain, lease = clock(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[5])

local function answer(kept)
  if not kept then
    return 0
  end
  local claim = parse(kept)
  if claim.expires <= now then
    return 0
  end
  if claim.holder ~= '' and claim.until_ > now then
    return 1
  end
  return claim.mark == FREE and 0 or 2
end

local kept = answer(redis.call('GET', KEYS[1]))
if kept ~= 0 then
  return kept
end
local former = KEYS[2] and redis.call('GET', KEYS[2])
-- What this release put there is for gates of 0.1.0 alone.
if former and parse(former).mark ~= MIRRORED then
  kept = answer(former)
  if kept ~= 0 then
    return kept
  end
end
if ARGV[6] == 'full' then
  return 3
end

local function set(key, mark)
  local held_until = ARGV[3] == '' and 0 or now + lease
  local value = whole(now + retain) .. ' ' .. whole(held_until) .. ' ' .. mark .. ARGV[3]
  redis.call('SET', key, value, 'PX', ttl(retain))
end

set(KEYS[1], ARGV[4] == 'free' and FREE or '')
-- It stays used for them if it is so by an equal delivery of another sender.
if KEYS[2] and answer(former) == 0 then
  set(KEYS[2], MIRRORED)
end
return 0
