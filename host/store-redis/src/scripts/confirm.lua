-- KEYS: as of `claim`. ARGV: holder.
each_held(ARGV[1], function(key, claim)
  local mark = claim.mark == MIRRORED and MIRRORED or ''
  redis.call('SET', key, whole(claim.expires) .. ' 0 ' .. mark, 'KEEPTTL')
end)
