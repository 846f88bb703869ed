-- A claim is `expires until holder`: until when it is held, and by whom, if it
-- is. Release 0.1.0 reads what is marked as held by somebody it does not know.

-- It is free again when its lease ends; without the mark it is used.
local FREE = '+'
-- Put under the name that release 0.1.0 has for a delivery.
local MIRRORED = '='

local function parse(kept)
  local expires, until_, mark, holder = kept:match('^(%d+) (%d+) ([+=]?)(.*)$')
  return { expires = tonumber(expires), until_ = tonumber(until_), mark = mark, holder = holder }
end

-- Does `what` with each key that `holder` holds.
local function each_held(holder, what)
  for _, key in ipairs(KEYS) do
    local kept = redis.call('GET', key)
    local claim = kept and parse(kept)
    if claim and claim.holder == holder then
      what(key, claim)
    end
  end
end
