//! The VPC network: router and instance namespaces, security groups, route tables.
