-- Puts a folded value in place of the one that was folded. KEYS[1]: the profile; ARGV[1]: the SHA-1, in hexadecimal, of the
-- value that was read; ARGV[2]: the new value. Answers 1 when done, 0 when another writer has added to it meanwhile:
-- what it added stays, and a later fold takes it.
local value = redis.call('GET', KEYS[1])
if value and redis.sha1hex(value) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return 0
