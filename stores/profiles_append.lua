-- Adds a frame to a profile. KEYS[1]: the profile; ARGV[1]: the frame. Answers the bytes behind the value's first frame.
-- SET and not APPEND, which would keep as much room again for growth.
local value = (redis.call('GET', KEYS[1]) or '') .. ARGV[1]
redis.call('SET', KEYS[1], value)
-- A frame: one byte of format, four of the length of what follows, the highest first.
local a, b, c, d = string.byte(value, 2, 5)
return #value - 5 - (((a * 256 + b) * 256 + c) * 256 + d)
