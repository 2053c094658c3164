// The place of Prisma's query engine in the live tests.
//
// prisma-client-py starts a program and sends it GraphQL over HTTP. Prisma would download that
// program. npm has the same engine as WebAssembly (in @prisma/client), which takes JSON and
// reaches PostgreSQL through @prisma/adapter-pg: this server puts the two together.
//
//     node bridge.js -p PORT      with DATABASE_URL, and PRISMA_DML_PATH: the schema
//
// ENGINE_LOG names a file for what went wrong.
const fs = require('fs')
const http = require('http')
const path = require('path')
const { PrismaPg } = require('@prisma/adapter-pg')
const { bindAdapter } = require('@prisma/driver-adapter-utils')
const { types } = require('pg')
const { readModels, toQueries, toResult } = require('./translate')

const RUNTIME = path.join(path.dirname(require.resolve('@prisma/client/package.json')), 'runtime')
const ENGINE = path.join(RUNTIME, 'query_engine_bg.postgresql.js')
const WASM = path.join(RUNTIME, 'query_engine_bg.postgresql.wasm-base64.js')
const SCHEMA = fs.readFileSync(process.env.PRISMA_DML_PATH, 'utf8')
const PORT = Number(process.argv[process.argv.indexOf('-p') + 1])
const UNKNOWN_ERROR = 'P2036' // what the engine calls an error that only the adapter knows
const RAW_QUERY_FAILED = 'P2010'
const PATIENCE_MS = 60_000 // for a transaction: a busy machine is no fault of LiteLLM's
const NAMES = 1003 // PostgreSQL's number of the type name[], which the adapter does not know
const TEXTS = 1009 // and of text[], which reads the same

function log(...words) {
  if (!process.env.ENGINE_LOG) return
  const line = words.map(word => (typeof word === 'string' ? word : JSON.stringify(word))).join(' ')
  fs.appendFileSync(process.env.ENGINE_LOG, `${new Date().toISOString()} ${process.pid} ${line}\n`)
}

/** The engine as WebAssembly, and the errors of its connection to the database. */
async function startEngine() {
  const glue = require(ENGINE)
  const module = new WebAssembly.Module(Buffer.from(require(WASM).wasm, 'base64'))
  const instance = new WebAssembly.Instance(module, { './query_engine_bg.js': glue })
  glue.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  const postgres = await new PrismaPg(connection(databaseUrl())).connect()
  const adapter = bindAdapter(namesAsTexts(postgres))
  const settings = {
    datamodel: SCHEMA,
    env: process.env,
    logQueries: false,
    ignoreEnvVarErrors: true,
    datasourceOverrides: {},
    logLevel: 'error',
    configDir: '.',
    engineProtocol: 'json',
    enableTracing: false,
  }
  const engine = new glue.QueryEngine(settings, line => log('engine', line), adapter)
  await engine.connect('{}', nextId())
  return { engine, registry: adapter.errorRegistry }
}

/** The same connection, with arrays of names read as arrays of texts. */
function namesAsTexts(postgres) {
  const perform = postgres.performIO.bind(postgres)
  postgres.performIO = async query => {
    const result = await perform(query)
    result.fields.forEach((field, index) => {
      if (field.dataTypeID !== NAMES) return
      field.dataTypeID = TEXTS
      for (const row of result.rows) row[index] = types.getTypeParser(TEXTS)(row[index])
    })
    return result
  }
  return postgres
}

/** The address that prisma-client-py gives: it may replace the one of the schema. */
function databaseUrl() {
  const given = process.env.OVERWRITE_DATASOURCES
  if (!given) return process.env.DATABASE_URL
  const text = given.startsWith('[') ? given : Buffer.from(given, 'base64').toString()
  return JSON.parse(text)[0].url || process.env.DATABASE_URL
}

function connection(address) {
  const url = new URL(address)
  return {
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
    max: Number(url.searchParams.get('connection_limit') || 10),
  }
}

let lastId = 0
const nextId = () => String(++lastId)

/** Answers the requests of prisma-client-py: each method takes a body and gives an answer. */
class Bridge {
  constructor({ engine, registry }) {
    this.engine = engine
    this.registry = registry
    this.models = readModels(SCHEMA)
  }

  async answer(url, body, transaction) {
    const ending = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(url)
    if (url === '/status') return { status: 'ok' }
    if (url.startsWith('/metrics')) return { counters: [], gauges: [], histograms: [] }
    if (url === '/transaction/start') return this.begin(body)
    if (ending) return this.end(ending[1], ending[2])
    return body.batch ? this.batch(body, transaction) : this.queries(body, transaction)
  }

  async begin({ isolation_level }) {
    const options = JSON.stringify({ max_wait: PATIENCE_MS, timeout: PATIENCE_MS, isolation_level })
    return this.checked(JSON.parse(await this.engine.startTransaction(options, '{}', nextId())))
  }

  async end(transaction, how) {
    const done = await this.engine[`${how}Transaction`](transaction, '{}', nextId())
    return this.checked(JSON.parse(done || '{}'))
  }

  async ask(query, transaction) {
    const answer = await this.engine.query(JSON.stringify(query), '{}', transaction, nextId())
    return JSON.parse(answer)
  }

  async queries(body, transaction) {
    const data = {}
    for (const [alias, query] of toQueries(body.query, this.models)) {
      const answer = await this.ask(query, transaction)
      if (answer.errors) return { errors: answer.errors.map(error => this.inWords(error)) }
      data[alias] = toResult(query.action, answer.data)
    }
    return { data }
  }

  async batch(body, transaction) {
    const texts = body.batch.flatMap(one => toQueries(one.query, this.models))
    const queries = texts.map(([, query]) => query)
    const together = body.transaction ? { transaction: {} } : {}
    const answer = await this.ask({ batch: queries, ...together }, transaction)
    const results = answer.batchResult || []
    const errors = answer.errors || results.flatMap(one => one.errors || [])
    if (errors.length) return { errors: errors.map(error => this.inWords(error)) }
    return {
      batchResult: results.map((one, index) => ({
        data: { result: toResult(queries[index].action, one.data) },
      })),
    }
  }

  checked(answer) {
    return answer.error_code
      ? { errors: [{ error: answer.message, user_facing_error: answer }] }
      : answer
  }

  /** An error with the words of PostgreSQL where the engine has only a number for it. */
  inWords(error) {
    const facing = error.user_facing_error
    if (!facing || facing.error_code !== UNKNOWN_ERROR) return error
    const known = this.registry.consumeError(facing.meta.id)
    const words = String((known && (known.error?.message || known.error)) || 'external error')
    return failure(words, `Raw query failed. ${words}`)
  }
}

function failure(words, message = words) {
  const meta = { code: 'N/A', message: words }
  const facing = { is_panic: false, error_code: RAW_QUERY_FAILED, message, meta }
  return { error: words, user_facing_error: facing }
}

async function bodyOf(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function serve(bridge, request, response) {
  const text = await bodyOf(request)
  let answer
  try {
    const transaction = request.headers['x-transaction-id']
    answer = await bridge.answer(request.url, JSON.parse(text || '{}'), transaction)
  } catch (error) {
    answer = { errors: [failure(String(error))] }
    log('failed', String(error.stack), text.slice(0, 1500))
  }
  if (answer.errors) log('error', answer.errors, text.slice(0, 1500))
  const content = JSON.stringify(answer)
  const length = Buffer.byteLength(content)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': length })
  response.end(content)
}

/** End with the program that started it, whichever way that ended. */
function endWithParent() {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0)
  }, 1000)
}

async function main() {
  endWithParent()
  const bridge = new Bridge(await startEngine())
  const server = http.createServer((request, response) => serve(bridge, request, response))
  server.keepAliveTimeout = 120_000
  server.listen(PORT, 'localhost')
}

main().catch(error => {
  log('could not start', String(error.stack))
  console.error(error)
  process.exit(1)
})
