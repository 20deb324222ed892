-- One hook, as one step of the store. KEYS[1] begins every key and holds the hash tag; ARGV[1]
-- names the hook. A script that fails is not undone, so whatever may fail comes before the first
-- write. Times are stored as text; Lua's numbers, which are doubles, only compare them: exactly
-- up to 2^53 milliseconds, or the year 287,396.
local INDEX, ENDS = KEYS[1] .. ':index', KEYS[1] .. ':ends'
local FIELDS = {'user_id', 'method', 'scopes', 'metadata', 'created_at', 'last_used_at',
                'expires_at', 'inactivity_timeout', 'key_hash', 'pepper_id'}
local SPAN = 1000 -- sessions that one run looks at, so that others get their turn

local function key_of(id) return KEYS[1] .. ':session:' .. id end

-- The index has each session twice, all with score 0: so its members stand in the order of their
-- bytes, which is that of ids, among all and within each user.
local function by_user(row) return 'u:' .. tostring(row.user_id) .. '\0' .. row.id end

local function read(id)
  if redis.call('EXISTS', key_of(id)) == 0 then return nil end
  local row, values = {id = id}, redis.pcall('HMGET', key_of(id), unpack(FIELDS))
  for i, name in ipairs(FIELDS) do row[name] = values[i] or false end
  return row
end

local function shown(row) return {row.id, redis.pcall('HMGET', key_of(row.id), unpack(FIELDS))} end

local function time(row, name)
  local text = row[name]
  if text == '' and name ~= 'last_used_at' then return nil end
  local number = text and string.match(text, '^-?%d+$') and tonumber(text)
  if not number then error('UNREADABLE ' .. row.id) end
  return number
end

local function ends_of(row)
  local used, timeout = time(row, 'last_used_at'), time(row, 'inactivity_timeout')
  return time(row, 'expires_at') or math.huge, timeout and used + timeout or math.huge
end

local function state(row, now)
  local expires, inactive = ends_of(row)
  return expires <= now and 'expired' or inactive <= now and 'inactive' or 'live'
end

local function matches(row, where)
  for _, name in ipairs({'user_id', 'method', 'pepper_id'}) do
    if where[name] and row[name] ~= where[name] then return false end
  end
  return not (where.keep and where.keep[row.id])
    and (not where.scope or string.find(row.scopes or '', ' ' .. where.scope .. ' ', 1, true))
    and (not where.state or where.state[state(row, where.now)])
end

local function write(row, ...)
  local changes = {...}
  for i = 1, #changes, 2 do row[changes[i]] = changes[i + 1] end
  local valid_until = math.min(ends_of(row))
  if #changes > 0 then redis.call('HSET', key_of(row.id), ...) end
  redis.call('ZREM', ENDS, row.id)
  if valid_until < math.huge then redis.call('ZADD', ENDS, valid_until, row.id) end
end

local function remove(row)
  redis.call('DEL', key_of(row.id))
  redis.call('ZREM', ENDS, row.id)
  redis.call('ZREM', INDEX, 'i:' .. row.id, by_user(row))
  return {row.id, row.user_id, row.method}
end

-- Acts on each session that matches: where to go on, or '' at the end, and what came of each.
local function each(act, json, after, limit)
  local where, found = cjson.decode(json), {}
  local prefix = where.user_id and 'u:' .. where.user_id .. '\0' or 'i:'
  local from, to = '(' .. prefix .. after, '(' .. prefix .. 'g' -- above all hexadecimal digits
  local places = where.id and {where.id}
    or where.ended and redis.call('ZRANGEBYSCORE', ENDS, '-inf', where.now, 'LIMIT', 0, SPAN)
    or redis.call('ZRANGEBYLEX', INDEX, from, to, 'LIMIT', 0, SPAN)
  for _, place in ipairs(places) do
    local row = read(string.sub(place, -32))
    if row and matches(row, where) then found[#found + 1] = act(row) end
    if #found == tonumber(limit) then return {row.id, found} end
  end
  local is_more = places[SPAN] and not (where.ended and #found == 0)
  return {is_more and string.sub(places[SPAN], -32) or '', found}
end

local hooks = {}

function hooks.insert(id, ...)
  local row = {id = id}
  if redis.call('EXISTS', key_of(id)) == 1 then return 0 end
  write(row, ...)
  redis.call('ZADD', INDEX, 0, 'i:' .. id, 0, by_user(row))
  return 1
end

function hooks.touch(id, now)
  local row = read(id)
  if not row or state(row, tonumber(now)) ~= 'live' then return 0 end
  if time(row, 'last_used_at') < tonumber(now) then write(row, 'last_used_at', now) end
  return 1
end

function hooks.replace_key_hash(id, old, new, pepper_id)
  local row = read(id)
  if not row or row.key_hash ~= old then return 0 end
  redis.call('HSET', key_of(id), 'key_hash', new, 'pepper_id', pepper_id)
  return 1
end

function hooks.find(...) return each(shown, ...) end

function hooks.count(...) return each(function() return 1 end, ...) end

function hooks.delete(...) return each(remove, ...) end

function hooks.update(json, after, limit, ...)
  local changes = {...}
  return each(function(row) write(row, unpack(changes)); return shown(row) end, json, after, limit)
end

return hooks[ARGV[1]](unpack(ARGV, 2))
