-- KEYS: as of `claim`. ARGV: holder.
each_held(ARGV[1], function(key)
  redis.call('DEL', key)
end)
