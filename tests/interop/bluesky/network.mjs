// The network's own servers on loopback: PLC, PDS, app view, moderation; two accounts. Says READY and where they are, in one line.
import net from 'node:net'

// dev-env names ports only, and a port alone is open to every network of the machine
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (where, ...rest) {
  if (where !== null && typeof where === 'object') return listen.call(this, where.path ? where : { ...where, host: '127.0.0.1' }, ...rest)
  return listen.call(this, { port: Number(where ?? 0), host: '127.0.0.1' }, rest.findLast((one) => typeof one === 'function'))
}

const { TestNetwork } = await import('@atproto/dev-env')
const [plc, pds, bsky, ozone] = process.argv.slice(2).map(Number)
const network = await TestNetwork.create({
  dbPostgresUrl: process.env.DB_POSTGRES_URL,
  redisHost: process.env.REDIS_HOST,
  plc: { port: plc },
  pds: { port: pds, hostname: 'localhost', enableDidDocWithSession: true },
  bsky: { port: bsky, dbPostgresSchema: 'bsky', publicUrl: `http://localhost:${bsky}` },
  ozone: {
    port: ozone, chatUrl: 'http://localhost:1', chatDid: 'did:example:chat', dbMaterializedViewRefreshIntervalMs: 30000,
  },
})
const seed = network.getSeedClient()
await seed.createAccount('acmetel', { handle: 'acmetel.test', email: 'a@test.example', password: 'acme-pass' })
await seed.createAccount('klant', { handle: 'klant.test', email: 'k@test.example', password: 'klant-pass' })
await network.processAll()
console.log('READY ' + JSON.stringify({ pds: network.pds.url, bsky: network.bsky.url, dids: seed.dids, labeler: network.ozone?.ctx?.cfg?.service?.did ?? '' }))
setInterval(() => network.processAll().catch(() => {}), 500)
