-- Asks Barmkin about a request: HAProxy 2.6 or later.
-- `barmkin check --for haproxy-lua` prints it.
--
-- http-request lua.barmkin GATE FIELDS
--
-- GATE is a listener of kind `forward-auth` and dialect `haproxy`: a URL, or `unix@`
-- and the path of its socket. FIELDS are what the gate sets, with commas between them. The variable
-- `txn.barmkin_allowed` is set only if the request may pass: the line after
-- this one has to refuse all others, since HAProxy goes on when a script fails.

-- What concerns the client's connection or the body, neither of which is sent.
local NOT_SENT = {}
for _, name in ipairs({
    "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection",
    "te", "trailer", "transfer-encoding", "x-forwarded-host", "x-forwarded-method",
    "x-forwarded-proto", "x-forwarded-uri",
}) do
    NOT_SENT[name] = true
end

-- What concerns the gate's connection.
local NOT_ANSWERED = { ["connection"] = true, ["content-length"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true }

local function question(txn)
    local fields = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not NOT_SENT[name] then
            local sent = {}
            for _, value in pairs(values) do
                sent[#sent + 1] = value
            end
            fields[name] = sent
        end
    end
    local encrypted = txn.f:ssl_fc()
    fields["x-forwarded-method"] = { txn.sf:method() }
    fields["x-forwarded-uri"] = { txn.sf:pathq() }
    fields["x-forwarded-host"] = { txn.sf:req_fhdr("host") }
    fields["x-forwarded-proto"] = { (encrypted == true or encrypted == 1 or encrypted == "1") and "https" or "http" }
    return fields
end

local function ask(gate, headers)
    local call = { url = gate, headers = headers, timeout = 5000 }
    if string.sub(gate, 1, 5) == "unix@" then
        call.url, call.dst = "http://barmkin/", gate
    end
    return core.httpclient():get(call)
end

core.register_action("barmkin", { "http-req" }, function(txn, gate, fields)
    local answer = ask(gate, question(txn))
    if not answer or not answer.status or answer.status < 200 then
        core.Warning("barmkin: " .. gate .. " gave no answer")
        return
    end
    if answer.status == 200 then
        for name in string.gmatch(fields, "[^,]+") do
            local values = answer.headers[name]
            txn.http:req_del_header(name)
            for _, value in pairs(values or {}) do
                if value ~= "" then
                    txn.http:req_add_header(name, value)
                end
            end
        end
        txn:set_var("txn.barmkin_allowed", true)
        return
    end
    local reply = txn:reply({ status = answer.status, body = answer.body })
    for name, values in pairs(answer.headers) do
        if not NOT_ANSWERED[name] then
            for _, value in pairs(values) do
                reply:add_header(name, value)
            end
        end
    end
    txn:done(reply)
end, 2)
