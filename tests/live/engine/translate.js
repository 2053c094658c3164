// GraphQL, as prisma-client-py writes it, to the JSON that Prisma's engine takes; and back.
const { parse } = require('graphql')

const OPERATION =
  /^(findUniqueOrThrow|findUnique|findFirstOrThrow|findFirst|findMany|createOne|createMany|updateOne|updateMany|deleteOne|deleteMany|upsertOne|aggregate|groupBy|queryRaw|executeRaw)(.*)$/
// The operators below a JSON column whose operand is JSON, too.
const JSON_OPERATOR = /^(equals|not|set|push|array_|lt|gt)/

/** The type of each field of each model: { model: { field: type } }, of a Prisma schema. */
function readModels(schema) {
  const models = {}
  let fields = null
  for (const line of schema.split('\n')) {
    const model = /^\s*model\s+(\w+)\s*\{/.exec(line)
    const field = /^\s*(\w+)\s+(\w+)/.exec(line)
    if (model) models[model[1]] = fields = {}
    else if (/^\s*\}/.test(line)) fields = null
    else if (fields && field) fields[field[1]] = field[2]
  }
  return models
}

/** The queries of a GraphQL text, one for each field at its top: [[alias, query]]. */
function toQueries(text, models) {
  const fields = parse(text, { noLocation: true }).definitions.flatMap(
    definition => definition.selectionSet.selections,
  )
  return fields.map(field => [(field.alias || field.name).value, toQuery(field, models)])
}

function toQuery(field, models) {
  // GraphQL puts the model in the middle: findUniqueUserOrThrow.
  const name = field.name.value.replace(/^(findUnique|findFirst)(.+)OrThrow$/, '$1OrThrow$2')
  const operation = OPERATION.exec(name)
  if (!operation) throw new Error(`unknown operation ${field.name.value}`)
  const [, action, modelName] = operation
  const given = toArguments(field)
  const query = { arguments: given, selection: toSelection(field.selectionSet) }
  if (!modelName) return { action, query }
  for (const key in given) given[key] = markJson(given[key], modelName, models)
  return { action, modelName, query }
}

function toArguments(field) {
  return Object.fromEntries((field.arguments || []).map(one => [one.name.value, toValue(one.value)]))
}

function toSelection(set) {
  const selections = set ? set.selections : []
  return Object.fromEntries(
    selections.map(field => {
      const isNested = field.selectionSet || (field.arguments || []).length > 0
      const nested = { arguments: toArguments(field), selection: toSelection(field.selectionSet) }
      return [field.name.value, isNested ? nested : true]
    }),
  )
}

function toValue(node) {
  switch (node.kind) {
    case 'IntValue':
      return Number.isSafeInteger(Number(node.value))
        ? Number(node.value)
        : { $type: 'BigInt', value: node.value }
    case 'FloatValue':
      return Number(node.value)
    case 'NullValue':
      return null
    case 'ListValue':
      return node.values.map(toValue)
    case 'ObjectValue':
      return Object.fromEntries(node.fields.map(field => [field.name.value, toValue(field.value)]))
    default: // texts, booleans, enums
      return node.value
  }
}

/** The same with the texts of JSON columns marked: unmarked, each would be stored as a JSON text. */
function markJson(value, modelName, models) {
  if (Array.isArray(value)) return value.map(one => markJson(one, modelName, models))
  if (!isPlain(value) || !models[modelName]) return value
  const marked = Object.entries(value).map(([key, one]) => {
    const type = models[modelName][key]
    if (type === 'Json') return [key, asJson(one)]
    if (models[type]) return [key, markJson(one, type, models)]
    return [key, type ? one : markJson(one, modelName, models)]
  })
  return Object.fromEntries(marked)
}

function asJson(value) {
  if (typeof value === 'string') return { $type: 'Json', value }
  if (Array.isArray(value)) return value.map(asJson)
  if (!isPlain(value)) return value
  const inner = Object.entries(value).map(([key, one]) => [
    key,
    JSON_OPERATOR.test(key) ? asJson(one) : one,
  ])
  return Object.fromEntries(inner)
}

function isPlain(value) {
  return value !== null && typeof value === 'object' && !value.$type
}

/** The result of one query as prisma-client-py expects it. */
function toResult(action, data) {
  const [result] = Object.values(data)
  return action === 'queryRaw' ? toRawRows(result) : withoutTypes(result)
}

/** Rows of raw SQL: objects, each value with the name of its type. */
function toRawRows({ columns, types, rows }) {
  return rows.map(row =>
    Object.fromEntries(row.map((value, index) => [columns[index], toCell(types[index], value)])),
  )
}

function toCell(type, value) {
  if (value === null || value === undefined) return { prisma__type: 'null', prisma__value: null }
  if (!type.endsWith('-array')) return { prisma__type: type, prisma__value: value }
  const inner = type.slice(0, -'-array'.length)
  return { prisma__type: 'array', prisma__value: value.map(one => toCell(inner, one)) }
}

function withoutTypes(value) {
  if (Array.isArray(value)) return value.map(withoutTypes)
  if (value === null || typeof value !== 'object') return value
  if (typeof value.$type === 'string' && 'value' in value) return value.value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutTypes(one)]))
}

module.exports = { readModels, toQueries, toResult }
