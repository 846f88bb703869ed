-- KEYS: as of `claim`. ARGV: holder, time, lease.
local now = clock(ARGV[2])
each_held(ARGV[1], function(key, claim)
  local value = whole(claim.expires) .. ' ' .. whole(now + tonumber(ARGV[3])) .. ' ' .. claim.mark .. claim.holder
  redis.call('SET', key, value, 'KEEPTTL')
end)
