-- KEYS: nonce. ARGV: time, retain, holder or '', held for.
-- 0: free, and claimed now. 1: held. 2: used.
local now, retain, holder = clock(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local kept = redis.call('GET', KEYS[1])
if kept then
  local expires, held_until, held_by = kept:match('^(%d+) (%d+) (.*)$')
  if tonumber(expires) > now then
    if held_by ~= '' and tonumber(held_until) > now then
      return 1
    end
    return 2
  end
end
local value = whole(now + retain) .. ' ' .. whole(now + tonumber(ARGV[4])) .. ' ' .. holder
redis.call('SET', KEYS[1], value, 'PX', ttl(retain))
return 0
