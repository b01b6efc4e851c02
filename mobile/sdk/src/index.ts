/** The public door of the package: what an app imports. */
export * from './generated/migrations'
export * from './generated/models'
export * from './generated/schema'
export * from './generated/types'
export * from './sync'
