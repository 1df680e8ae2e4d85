local n=0
function init(args) math.randomseed(os.time()); n=math.random(0,1000000) end
request=function()
 n=n+1
 return wrk.format("POST", nil, {["content-type"]="application/json",["accept"]="application/json"}, '{"operationName":"Q","query":"query Q($seed: Int!) { regions(seed: $seed) { id name shops { id name offers { id price product { id title brand } stock { count warehouse } } } } }","variables":{"seed":'..n..'}}')
end
