-- Around a load script as it is: the bearer token that every request carries, and the figures as one line of JSON.
local format = wrk.format
wrk.format = function(method, path, headers, body)
  headers = headers or wrk.headers
  headers["authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
  return format(method, path, headers, body)
end

dofile(os.getenv("BENCH_SCRIPT"))

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"failed":%d,"p50Ms":%.3f,"p99Ms":%.3f}',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
