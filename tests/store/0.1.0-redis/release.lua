-- KEYS: nonce. ARGV: holder.
local kept = redis.call('GET', KEYS[1])
if kept and kept:match('^%d+ %d+ (.*)$') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
