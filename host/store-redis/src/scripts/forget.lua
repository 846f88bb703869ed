-- KEYS: a nonce, and what it was called. ARGV: time. Whether it was remembered.
local now, was_claimed = clock(ARGV[1]), 0
for _, key in ipairs(KEYS) do
  local kept = redis.call('GET', key)
  if kept and parse(kept).expires > now then
    was_claimed = 1
  end
  redis.call('DEL', key)
end
return was_claimed
