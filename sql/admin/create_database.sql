-- {database:Identifier}
CREATE DATABASE IF NOT EXISTS {database:Identifier}
