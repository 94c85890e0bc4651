# Gets a DPoP-bound access token and calls an API with it. Needs nothing but Ruby.
# Usage: ISSUER=... CLIENT_ID=... CLIENT_SECRET=... RESOURCE=... ruby client.rb https://api.example.com/reports
require "base64"
require "json"
require "net/http"
require "openssl"
require "securerandom"

# Sends requests with a DPoP proof (RFC 9449 section 4.2) and answers nonces (sections 8 and 9).
class Holder
  def initialize
    @key = OpenSSL::PKey::EC.generate("prime256v1")
    point = @key.public_key.to_octet_string(:uncompressed)
    @jwk = { kty: "EC", crv: "P-256", x: base64url(point[1, 32]), y: base64url(point[33, 32]) }
    @nonces = {} # the newest of each origin
  end

  # Takes a block that makes the request, since a request object is sent once.
  def send(uri, token: nil)
    answer = once(uri, yield, token)
    demanded = answer["www-authenticate"].to_s.include?("use_dpop_nonce") ||
      (answer.code == "400" && answer.body.include?("use_dpop_nonce"))
    demanded && answer["dpop-nonce"] ? once(uri, yield, token) : answer
  end

  private

  def once(uri, request, token)
    request["DPoP"] = proof(request.method, uri, token)
    request["Authorization"] = "DPoP #{token}" if token
    options = { use_ssl: uri.scheme == "https", open_timeout: 10, read_timeout: 10 }
    answer = Net::HTTP.start(uri.host, uri.port, **options) { |http| http.request(request) }
    @nonces[uri.origin] = answer["dpop-nonce"] if answer["dpop-nonce"]
    answer
  end

  def proof(method, uri, token)
    target = uri.dup
    target.query = target.fragment = nil
    claims = { jti: SecureRandom.uuid, htm: method, htu: target.to_s, iat: Time.now.to_i }
    claims[:ath] = base64url(OpenSSL::Digest::SHA256.digest(token)) if token
    claims[:nonce] = @nonces[uri.origin] if @nonces[uri.origin]
    header = { typ: "dpop+jwt", alg: "ES256", jwk: @jwk }
    signed = [header, claims].map { |part| base64url(JSON.generate(part)) }.join(".")
    # OpenSSL writes DER; JWS wants the two integers, 32 bytes each (RFC 7518 section 3.4).
    der = OpenSSL::ASN1.decode(@key.sign("SHA256", signed))
    integers = der.value.map { |integer| integer.value.to_s(2).rjust(32, "\0") }
    "#{signed}.#{base64url(integers.join)}"
  end

  def base64url(bytes) = Base64.urlsafe_encode64(bytes, padding: false)
end

issuer, client_id, client_secret, resource = ENV.values_at("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "RESOURCE")
metadata = JSON.parse(Net::HTTP.get(URI("#{issuer}/.well-known/oauth-authorization-server")))
abort "not the metadata of this issuer" unless metadata["issuer"] == issuer # RFC 8414 section 3.3
holder = Holder.new

token_endpoint = URI(metadata["token_endpoint"])
answer = holder.send(token_endpoint) do
  request = Net::HTTP::Post.new(token_endpoint)
  request.set_form_data(grant_type: "client_credentials", resource: resource,
                        client_id: client_id, client_secret: client_secret)
  request
end
abort answer.body unless answer.is_a?(Net::HTTPSuccess)
token = JSON.parse(answer.body)["access_token"]

url = URI(ARGV.fetch(0))
answer = holder.send(url, token: token) { Net::HTTP::Get.new(url) }
puts answer.body
exit answer.is_a?(Net::HTTPSuccess)
