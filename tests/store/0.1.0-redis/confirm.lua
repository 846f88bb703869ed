-- KEYS: nonce. ARGV: holder.
local kept = redis.call('GET', KEYS[1])
if kept then
  local expires, held_by = kept:match('^(%d+) %d+ (.*)$')
  if held_by == ARGV[1] then
    redis.call('SET', KEYS[1], expires .. ' 0 ', 'KEEPTTL')
  end
end
