-- KEYS: a nonce. ARGV: time. Gives for how long it is remembered and held, or 0.
local now = clock(ARGV[1])
local kept = redis.call('GET', KEYS[1])
local claim = kept and parse(kept)
if not claim or claim.mark == MIRRORED or claim.mark == FREE and claim.until_ <= now then
  return { 0, 0 }
end
local held = claim.holder ~= '' and math.max(claim.until_ - now, 0) or 0
return { math.max(claim.expires - now, 0), held }
