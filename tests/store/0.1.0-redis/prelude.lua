-- Before every script. Times are whole microseconds since 1970, which a double
-- holds exactly until the year 2255.

-- A key lives a minute longer than it counts: the comparisons below decide, and
-- its expiry only cleans up.
local SLACK_MS = 60000

-- What is appended to text must keep all digits.
local function whole(number)
  return string.format('%.0f', number)
end

-- The server's time, so that machines which share it agree; tests bring theirs.
local function clock(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function ttl(us)
  return whole(math.ceil(math.max(us, 0) / 1000) + SLACK_MS)
end
